/** What the engines call the same thing differently. */
export interface ColumnTypes {
  readonly bytes: "blob" | "bytea";
}
