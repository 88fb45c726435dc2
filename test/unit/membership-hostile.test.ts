/** One honest member among members that lie, with real keys: what they can make it believe, send and compute. */
import { describe, expect, it } from "vitest";
import { messageBytes } from "../../protocol/gossip-message.ts";
import { encodeHello, HELLO_BYTES } from "../../protocol/gossip-packet.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { BesiegedMember, START } from "../support/besieged-member.ts";
import { GossipActor } from "../support/gossip-actor.ts";
import { TestAuthority } from "../support/test-identities.ts";

const SECOND = 1_000;

describe("a forged statement", () => {
  it("in a member's name changes nothing, and costs who brings it their hearing", () => {
    const scene = new BesiegedMember();
    const forged = scene.victim.announce(START + 1, { leaving: true }, scene.liar);
    scene.gossip(scene.liar, { kind: "announcement", announcement: forged });
    expect(scene.isMember(scene.victim)).toBe(true);
    expect(scene.refused.forged).toBe(1);
    const before = scene.verifications;
    for (let packet = 0; packet < 500; packet++) {
      scene.gossip(scene.liar, {
        kind: "announcement",
        announcement: scene.victim.announce(START + packet, {}, scene.liar),
      });
    }
    expect(scene.verifications - before).toBeLessThan(10);
    expect(scene.refused.flooded).toBeGreaterThan(400);
    const genuine = scene.victim.announce(START + 10_000);
    scene.gossip(scene.victim, { kind: "announcement", announcement: genuine });
    expect(scene.core.peer(scene.victim.id)?.announcement.value.incarnation).toBe(START + 10_000);
  });

  it("in a hello, which anybody can send, harms nobody in whose name it is", () => {
    const scene = new BesiegedMember();
    for (let round = 0; round < 50; round++) {
      const announcement = scene.victim.announce(START + round + 1, { leaving: true }, scene.liar);
      scene.handle({ type: "hello", hello: { ...scene.victim.hello(START), announcement } });
    }
    expect(scene.refused.forged).toBe(50);
    expect(scene.isMember(scene.victim)).toBe(true);
    scene.gossip(scene.victim, { kind: "announcement", announcement: scene.victim.announce(START + 5) });
    expect(scene.core.peer(scene.victim.id)?.announcement.value.incarnation).toBe(START + 5);
  });

  it("of suspicion, in another's name, is not believed", () => {
    const scene = new BesiegedMember();
    scene.gossip(scene.liar, (scene.others[2] as GossipActor).suspicionOf(scene.victim.id, START, scene.liar));
    expect(scene.core.peer(scene.victim.id)?.status).toBe("alive");
    expect(scene.refused.forged).toBe(1);
  });

  it("of membership is refused: by its own voucher, by a voucher that another signed, by a certificate of another network", () => {
    const scene = new BesiegedMember();
    const stranger = new GossipActor(scene.authority);
    const show = { kind: "certificate", certificate: stranger.certificate } as const;
    scene.gossip(scene.liar, show, stranger.item(START, stranger));
    const announcement = stranger.announce(START);
    scene.gossip(scene.liar, { kind: "member", announcement, voucher: scene.victim.voucherFor(stranger, scene.liar) });
    expect(scene.isMember(stranger)).toBe(false);

    const foreign = new GossipActor(new TestAuthority(signingKeyPair(), () => scene.now));
    scene.gossip(
      scene.liar,
      { kind: "certificate", certificate: foreign.certificate },
      foreign.item(START, scene.liar),
    );
    scene.handle({ type: "hello", hello: foreign.hello(START) });
    expect(scene.core.peer(foreign.id)).toBeUndefined();

    scene.gossip(scene.victim, show, stranger.item(START, scene.liar));
    expect(scene.isMember(stranger)).toBe(true);
  });
});

describe("an old or impossible statement", () => {
  it("does not bring back what a newer one has replaced", () => {
    const scene = new BesiegedMember();
    const old = scene.victim.announce(START + 1);
    scene.gossip(scene.liar, { kind: "announcement", announcement: old });
    scene.gossip(scene.liar, {
      kind: "announcement",
      announcement: scene.victim.announce(START + 2, { leaving: true }),
    });
    expect(scene.isMember(scene.victim)).toBe(false);
    scene.gossip(scene.liar, { kind: "announcement", announcement: old }, scene.victim.item(START + 1, scene.liar));
    expect(scene.isMember(scene.victim)).toBe(false);
  });

  it("from more than five minutes ahead is refused", () => {
    const scene = new BesiegedMember();
    scene.gossip(scene.liar, { kind: "announcement", announcement: scene.victim.announce(START + 6 * 60 * SECOND) });
    expect(scene.core.peer(scene.victim.id)?.announcement.value.incarnation).toBe(START);
    expect(scene.refused["from-the-future"]).toBe(1);
  });

  it("in a hello from more than five minutes ahead makes nobody known, for those who hear of it would refuse it", () => {
    const scene = new BesiegedMember();
    const stranger = new GossipActor(scene.authority);
    scene.handle({ type: "hello", hello: stranger.hello(START + 6 * 60 * SECOND) });
    expect(scene.core.peer(stranger.id)).toBeUndefined();
    expect(scene.refused["from-the-future"]).toBe(1);
    scene.handle({ type: "hello", hello: stranger.hello(START + 4 * 60 * SECOND) });
    expect(scene.core.peer(stranger.id)).toBeDefined();
  });

  it("with a certificate that is over makes no member", () => {
    const scene = new BesiegedMember();
    const stranger = new GossipActor(scene.authority, { expiresAt: START + SECOND });
    scene.now += 2 * SECOND;
    scene.gossip(
      scene.liar,
      { kind: "certificate", certificate: stranger.certificate },
      stranger.item(START, scene.liar),
    );
    expect(scene.isMember(stranger)).toBe(false);
  });
});

describe("a false death notice", () => {
  it("is only a suspicion: its subject refutes it, and who accuses falsely is soon not heard", () => {
    const scene = new BesiegedMember();
    let incarnation = START;
    let accepted = 0;
    for (let round = 0; round < 40; round++) {
      scene.gossip(scene.liar, scene.liar.suspicionOf(scene.victim.id, incarnation));
      if (scene.core.peer(scene.victim.id)?.status === "suspect") accepted++;
      scene.pass(2 * SECOND);
      incarnation = scene.now;
      scene.gossip(scene.liar, { kind: "announcement", announcement: scene.victim.announce(incarnation) });
    }
    expect(scene.core.metrics.deaths).toBe(0);
    expect(scene.isMember(scene.victim)).toBe(true);
    expect(accepted).toBeLessThan(12);
  });

  it("about ourselves is refuted at once, with a higher incarnation, for all to hear", () => {
    const scene = new BesiegedMember();
    const before = scene.core.hello(false).announcement.value.incarnation;
    scene.gossip(scene.liar, scene.liar.suspicionOf(scene.self.id, before));
    expect(scene.core.hello(false).announcement.value.incarnation).toBeGreaterThan(before);
    scene.effects = [];
    scene.pass(SECOND);
    const told = scene.effects.flatMap((effect) =>
      effect.type === "send" && "items" in effect.message ? effect.message.items : [],
    );
    expect(
      told.some((item) => item.kind === "announcement" && item.announcement.value.supernodeId === scene.self.id),
    ).toBe(true);
  });

  it("about what we shall say in years makes us say nothing that others would refuse", () => {
    const scene = new BesiegedMember();
    const own = () => scene.core.hello(false).announcement.value.incarnation;
    const before = own();
    for (const incarnation of [START + 6 * 60 * SECOND, START + 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      scene.gossip(scene.liar, scene.liar.suspicionOf(scene.self.id, incarnation));
    }
    expect(own()).toBe(before);
    expect(scene.refused["from-the-future"]).toBe(3);
    // A little ahead may be our own doing, by a clock that was ahead.
    scene.gossip(scene.liar, scene.liar.suspicionOf(scene.self.id, START + SECOND));
    expect(own()).toBe(START + SECOND + 1);
  });

  it("cannot be prepared with what we said ourselves when our clock was years ahead", () => {
    const scene = new BesiegedMember();
    const own = () => scene.core.hello(false).announcement.value.incarnation;
    scene.gossip(scene.liar, { kind: "announcement", announcement: scene.self.announce(START + 2 ** 40) });
    expect(own()).toBe(START);
    scene.handle({
      type: "remember",
      members: [{ certificate: scene.self.certificate, item: scene.self.item(START + 2 ** 40, scene.liar) }],
    });
    expect(own()).toBe(START);
    scene.gossip(scene.liar, { kind: "announcement", announcement: scene.self.announce(START + SECOND) });
    expect(own()).toBe(START + SECOND + 1);
  });

  it("by one accuser alone is given four times as long as one that others confirm", () => {
    const timeToDie = (accusers: number) => {
      const scene = new BesiegedMember();
      for (const accuser of scene.others.slice(2, 2 + accusers)) {
        scene.gossip(accuser, accuser.suspicionOf(scene.victim.id, START));
      }
      while (scene.isMember(scene.victim) && scene.now < START + 60 * SECOND) scene.pass(100);
      return scene.now - START;
    };
    expect(timeToDie(3)).toBeLessThan(3_500);
    expect(timeToDie(1)).toBeGreaterThan(11_000);
  });

  it("of everybody at once, by one liar, kills nobody who answers", () => {
    const scene = new BesiegedMember();
    const honest = scene.others.slice(1);
    scene.gossip(scene.liar, ...honest.map(({ id }) => scene.liar.suspicionOf(id, START)));
    scene.pass(2 * SECOND);
    for (const actor of honest) {
      scene.gossip(actor, { kind: "announcement", announcement: actor.announce(scene.now) });
    }
    scene.pass(60 * SECOND);
    expect(scene.core.members).toHaveLength(8);
  });
});

describe("a flood", () => {
  it("of packets by one member is cut off, and the others are heard meanwhile", () => {
    const scene = new BesiegedMember();
    const effects = Array.from({ length: 2_000 }, (_, nonce) =>
      scene.handle({ type: "message", from: scene.liar.id, message: { type: "ping", nonce, items: [] } }),
    ).flat();
    expect(effects.length).toBeLessThan(400);
    expect(scene.refused.flooded).toBeGreaterThan(1_600);
    const answered = scene.handle({
      type: "message",
      from: scene.victim.id,
      message: { type: "ping", nonce: 1, items: [] },
    });
    expect(answered.some((effect) => effect.type === "send" && effect.message.type === "ack")).toBe(true);
  });

  it("of announcements by one member is not passed on to all", () => {
    const scene = new BesiegedMember();
    for (let at = 1; at <= 50; at++) {
      scene.gossip(scene.liar, { kind: "announcement", announcement: scene.liar.announce(START + at) });
    }
    scene.pass(SECOND);
    expect(scene.core.peer(scene.liar.id)?.announcement.value.incarnation).toBeLessThan(START + 10);
    expect(scene.refused.flooded).toBeGreaterThan(40);
  });

  it("of genuine news keeps nobody waiting for an answer to a probe, and is all taken in afterwards", () => {
    const scene = new BesiegedMember();
    const newcomers = Array.from({ length: 60 }, () => new GossipActor(scene.authority));
    const [teller] = scene.others.slice(-1) as [GossipActor];
    scene.verifications = 0;
    for (const newcomer of newcomers) {
      const { certificate } = newcomer;
      scene.gossip(teller, { kind: "certificate", certificate }, newcomer.item(START, scene.liar));
    }
    expect(scene.verifications).toBeLessThan(60);
    const answers = scene.handle({ type: "message", from: teller.id, message: { type: "ping", nonce: 7, items: [] } });
    expect(answers.map((effect) => effect.type === "send" && effect.message.type)).toContain("ack");
    expect(scene.isMember(newcomers.at(-1) as GossipActor)).toBe(false);
    scene.pass(SECOND);
    expect(newcomers.filter((newcomer) => !scene.isMember(newcomer))).toEqual([]);
  });

  it("of hellos and of unknown senders is bounded in what it makes us send and compute", () => {
    const scene = new BesiegedMember();
    const strangers = Array.from({ length: 250 }, () => new GossipActor(scene.authority));
    const hellos = strangers.map((stranger) => stranger.hello(START));
    scene.effects = [];
    scene.verifications = 0;
    for (const hello of hellos) scene.handle({ type: "hello", hello });
    expect(scene.verifications).toBeLessThanOrEqual(210);
    expect(scene.effects.filter((effect) => effect.type === "hello").length).toBeLessThanOrEqual(210);
    scene.effects = [];
    for (const { id } of strangers) scene.handle({ type: "stranger", supernodeId: id });
    const wants = scene.effects.filter((effect) => effect.type === "send" && effect.message.type === "want");
    expect(wants.length).toBeLessThanOrEqual(40);
  });
});

describe("what is answered", () => {
  it("to a hello is never longer than the hello, and goes where the certificate says", () => {
    const scene = new BesiegedMember();
    const stranger = new GossipActor(scene.authority, { host: `${"a".repeat(120)}.example` });
    const hello = stranger.hello(START);
    expect(encodeHello(hello)).toHaveLength(HELLO_BYTES);
    const answers = scene.handle({ type: "hello", hello }).filter((effect) => effect.type === "hello");
    expect(answers).toHaveLength(1);
    expect(answers[0]?.to.value.host).toBe(stranger.certificate.value.host);
    expect(encodeHello(scene.core.hello(true)).length).toBeLessThanOrEqual(HELLO_BYTES);
    expect(scene.handle({ type: "hello", hello }).filter((effect) => effect.type === "hello")).toHaveLength(0);
  });

  it("to a request is nothing while its sender is no member", () => {
    const scene = new BesiegedMember();
    const stranger = new GossipActor(scene.authority);
    scene.handle({ type: "hello", hello: stranger.hello(START) });
    scene.effects = [];
    const hashes = new Uint32Array(256).fill(1);
    const wanted = [{ supernodeId: scene.victim.id, certificate: true }];
    scene.handle({ type: "message", from: stranger.id, message: { type: "digest", hashes } });
    scene.handle({ type: "message", from: stranger.id, message: { type: "want", wanted } });
    scene.handle({ type: "message", from: stranger.id, message: { type: "probe", nonce: 1, target: scene.victim.id } });
    expect(scene.effects.filter((effect) => effect.type === "send")).toEqual([]);
    expect(scene.refused["not-a-member"]).toBe(3);
  });

  it("to a summary that we did not ask for is nothing", () => {
    const scene = new BesiegedMember();
    scene.effects = [];
    const ranges = [
      { from: 0, to: 0xffffffff, members: [{ supernodeId: new GossipActor(scene.authority).id, incarnation: 5 }] },
    ];
    scene.handle({ type: "message", from: scene.liar.id, message: { type: "summary", ranges } });
    expect(scene.effects.filter((effect) => effect.type === "send")).toEqual([]);
    expect(scene.refused.unsolicited).toBe(1);
  });

  it("to a member that asks for all it can stays within twenty packets", () => {
    const scene = new BesiegedMember();
    const wanted = Array.from({ length: 40 }, (_, at) => ({
      supernodeId: (scene.others[at % 8] as GossipActor).id,
      certificate: true,
    }));
    const sent = scene
      .handle({ type: "message", from: scene.liar.id, message: { type: "want", wanted } })
      .filter((effect) => effect.type === "send");
    expect(sent.length).toBeLessThanOrEqual(20);
    expect(sent.every((effect) => messageBytes(effect.message) <= 1_156)).toBe(true);
  });
});

describe("an examiner that lies", () => {
  it("does not keep a newcomer out: another member is asked", () => {
    const scene = new BesiegedMember();
    const newcomer = new GossipActor(scene.authority);
    const vouchRequests = () =>
      scene.effects.flatMap((effect) =>
        effect.type === "send" && effect.message.type === "vouch" ? [effect.to.id] : [],
      );
    scene.handle({ type: "hello", hello: newcomer.hello(START) });
    const [first] = vouchRequests();
    if (!first) throw new Error("nobody was asked");
    const message = { type: "unreachable", subject: newcomer.id, by: "udp" } as const;
    scene.handle({ type: "message", from: first, message });
    const [, second] = vouchRequests();
    expect(second).toBeDefined();
    expect(second).not.toBe(first);
  });
});
