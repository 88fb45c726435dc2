import { describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { RequestGate, weightOf } from "../../relay/sockets/request-gate.ts";

function gateWith(limits: { inFlight?: number; burst?: number; perSecond?: number }) {
  let now = 0;
  const gate = new RequestGate({ inFlight: 100, burst: 3, perSecond: 2, ...limits }, () => now);
  return { gate, wait: (ms: number) => (now += ms) };
}

function refusal(work: () => void): KithError | null {
  try {
    work();
    return null;
  } catch (error) {
    return KithError.from(error);
  }
}

describe("the request gate", () => {
  it("lets a burst through and then so many a second", () => {
    const { gate, wait } = gateWith({});
    for (let count = 0; count < 3; count++) expect(refusal(() => gate.enter(1))).toBeNull();
    expect(refusal(() => gate.enter(1))).toMatchObject({ code: "rate-limited", details: { seconds: 1 } });
    wait(500);
    expect(refusal(() => gate.enter(1))).toBeNull();
    expect(refusal(() => gate.enter(1))?.code).toBe("rate-limited");
  });

  it("saves up no more than a burst", () => {
    const { gate, wait } = gateWith({});
    wait(3_600_000);
    for (let count = 0; count < 3; count++) gate.enter(1);
    expect(refusal(() => gate.enter(1))?.code).toBe("rate-limited");
  });

  it("bounds what is not answered yet", () => {
    const { gate } = gateWith({ inFlight: 2, burst: 100 });
    gate.enter(1);
    gate.enter(1);
    expect(refusal(() => gate.enter(1))?.code).toBe("rate-limited");
    gate.leave();
    expect(refusal(() => gate.enter(1))).toBeNull();
  });

  it("says how long to wait for a heavy request", () => {
    const { gate } = gateWith({ burst: 10 });
    gate.enter(8);
    expect(refusal(() => gate.enter(10))).toMatchObject({ details: { seconds: 4 } });
  });
});

describe("the weight of a request", () => {
  it("grows with the names in it and is at least one for anything at all", () => {
    expect(weightOf("watch", { userIds: Array.from({ length: 1_000 }) })).toBe(21);
    expect(weightOf("register", { lease: new Uint8Array(9) })).toBe(10);
    for (const nonsense of [null, undefined, 7, "x", [], new Uint8Array(1_000), { length: 1e9 }]) {
      expect(weightOf("find", nonsense)).toBe(1);
    }
  });
});
