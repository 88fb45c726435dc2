import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { caller, method, type RpcSocket, serve } from "../../protocol/rpc.ts";

const TABLE = { double: method(z.strictObject({ n: z.number() }), z.strictObject({ n: z.number() })) };

/** Two ends of a wire that delivers acknowledgements as socket.io does. */
function wire(): { server: RpcSocket; client: RpcSocket; emitter: EventEmitter } {
  const emitter = new EventEmitter();
  const socket: RpcSocket = {
    on: (event, listener) => emitter.on(event, listener),
    timeout: (ms) => ({
      emitWithAck: (event, ...args) =>
        new Promise((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error("timed out")), ms);
          emitter.emit(event, ...args, (answer: unknown) => {
            clearTimeout(timer);
            resolve(answer);
          });
        }),
    }),
  };
  return { server: socket, client: socket, emitter };
}

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => KithError.from(error).code,
  );

test("a request is answered", async () => {
  const { server, client } = wire();
  serve(server, TABLE, { double: ({ n }) => ({ n: n * 2 }) }, () => {});
  await expect(caller(client, TABLE)("double", { n: 21 })).resolves.toEqual({ n: 42 });
});

test("a request of the wrong shape never reaches the handler", async () => {
  const { server, emitter } = wire();
  let reached = false;
  const reach = () => {
    reached = true;
    return { n: 0 };
  };
  serve(server, TABLE, { double: reach }, () => {});
  for (const input of [undefined, null, "x", { n: "1" }, { n: 1, more: true }, [1]]) {
    const answer = await new Promise((resolve) => emitter.emit("double", input, resolve));
    expect(answer).toMatchObject({ ok: false, error: { code: "malformed" } });
  }
  expect(reached).toBe(false);
});

test("a request without an acknowledgement does no harm", () => {
  const { server, emitter } = wire();
  serve(server, TABLE, { double: ({ n }) => ({ n }) }, () => {});
  expect(() => emitter.emit("double", { n: 1 })).not.toThrow();
  expect(() => emitter.emit("double")).not.toThrow();
});

test("a refusal keeps its code and details on the other side", async () => {
  const { server, client } = wire();
  const refuse = () => {
    throw new KithError("rate-limited", { seconds: 7 });
  };
  serve(server, TABLE, { double: refuse }, () => {});
  await expect(caller(client, TABLE)("double", { n: 1 })).rejects.toMatchObject({
    code: "rate-limited",
    details: { seconds: 7 },
  });
});

test("our own fault is told to the log and not to the other side", async () => {
  const { server, client } = wire();
  const faults: unknown[] = [];
  const fail = () => {
    throw new Error("the password is hunter2");
  };
  serve(server, TABLE, { double: fail }, (_name, error) => faults.push(error.cause));
  const error = await caller(client, TABLE)("double", { n: 1 }).catch((thrown: unknown) => KithError.from(thrown));
  expect(error).toMatchObject({ code: "internal" });
  expect(JSON.stringify(error)).not.toContain("hunter2");
  expect(String(faults[0])).toContain("hunter2");
});

test("an answer of the wrong shape is refused, and silence is a time-out", async () => {
  const { client, emitter } = wire();
  const answers: unknown[] = [null, { ok: true }, { ok: true, value: { n: "x" } }, { ok: false, error: "no" }];
  for (const answer of answers) {
    emitter.removeAllListeners();
    emitter.on("double", (_input: unknown, acknowledge: (value: unknown) => void) => acknowledge(answer));
    expect(await code(caller(client, TABLE)("double", { n: 1 }))).toBe("malformed");
  }
  emitter.removeAllListeners();
  expect(await code(caller(client, TABLE, 20)("double", { n: 1 }))).toBe("timeout");
});

test("a code that this version does not know becomes `internal`", async () => {
  const { client, emitter } = wire();
  emitter.on("double", (_input: unknown, acknowledge: (value: unknown) => void) =>
    acknowledge({ ok: false, error: { code: "from-the-future", message: "…", details: {} } }),
  );
  expect(await code(caller(client, TABLE)("double", { n: 1 }))).toBe("internal");
});
