/** Characters, bytes or elements that one call makes out of a number. */
export const RESULT_LENGTH_MAX = 16_777_216

/** A number in a record must not take the memory of the whole process. @throws RangeError it is too large */
export function checkResultLength(length: number | bigint): void {
  if (length > RESULT_LENGTH_MAX) {
    throw new RangeError(
      `The result would have ${length} parts; the most there can be are ${RESULT_LENGTH_MAX}.`,
    )
  }
}
