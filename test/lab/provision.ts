/**
 * Signs Alice and Bob up from inside the lab and makes them buddies.
 * Run as: provision LOGIN_SERVER PASSWORD ALICES_PROFILE BOBS_PROFILE.
 */
import { makeBuddies } from "../../scripts/provision.ts";

const [url = "", password = "", alice = "", bob = ""] = process.argv.slice(2);
await makeBuddies(
  [
    { handle: "alice", profile: alice },
    { handle: "bob", profile: bob },
  ],
  password,
  url,
);
process.send?.({ kind: "ready" });
process.disconnect();
