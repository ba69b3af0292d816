/** Files that schemas import and no registry holds; those of google.protobuf come with the library. */
export const WELL_KNOWN: Readonly<Record<string, string>> = {
  'google/type/date.proto': `syntax = "proto3"; package google.type;
    message Date { int32 year = 1; int32 month = 2; int32 day = 3; }`,
  'google/type/timeofday.proto': `syntax = "proto3"; package google.type;
    message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }`,
  'confluent/type/decimal.proto': `syntax = "proto3"; package confluent.type;
    message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
  'confluent/meta.proto': `syntax = "proto3"; package confluent;
    message Meta { string doc = 1; map<string, string> params = 2; }`,
}
