/** Something that the person at the terminal can act on: printed as its one sentence, without a stack. */
export class Failure extends Error {
  override readonly name = "Failure";
}
