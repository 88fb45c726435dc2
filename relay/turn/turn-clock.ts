/** The two clocks of the server. */
export interface TurnClock {
  /** ms since 1970, which an administrator may set: for credentials and calendar months. */
  wallMs(): number;
  /** ms on a clock that never goes back: for everything that expires. */
  monotonicMs(): number;
}
