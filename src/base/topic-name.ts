/** Kafka's rule for names of topics, in words. */
export const TOPIC_NAME_RULE = "Topic names have 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'."

/** Whether a topic may be called so: Kafka's rule, which also keeps names from being paths. */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..'
}
