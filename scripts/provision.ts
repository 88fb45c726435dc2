import { type KithClient, openClient } from "../main/core/client.ts";
import { silentLog } from "../main/core/log.ts";
import { KithError } from "../protocol/errors.ts";
import type { IPC_METHODS } from "../protocol/ipc-schema.ts";
import type { Output } from "../protocol/rpc.ts";
import { Failure } from "./failure.ts";

const PATIENCE_MS = 20_000;

type Snapshot = Output<(typeof IPC_METHODS)["snapshot"]>;

export interface Person {
  readonly handle: string;
  readonly profile: string;
}

/**
 * Signs two people up (or in, if the login server knows them) on their profiles and makes
 * them buddies, through the same client core that the app runs. The profiles are closed again.
 *
 * @throws Failure with the client's own sentence
 */
export async function makeBuddies(people: readonly [Person, Person], password: string, url: string): Promise<void> {
  const clients: KithClient[] = [];
  try {
    const [asking, asked] = await Promise.all(
      people.map(async (person) => {
        const client = await openClient({
          dataFolder: person.profile,
          deviceName: "this computer",
          defaultLoginServer: url,
          systemKeyStore: null,
          log: silentLog,
        });
        clients.push(client);
        await enter(client, person.handle, password, url);
        return client;
      }),
    );
    if (asking === undefined || asked === undefined) throw new Error("two people make buddies");
    await befriend(asking, asked, people[1].handle);
  } catch (error) {
    const { message, cause } = KithError.from(error);
    throw new Failure(
      `Alice and Bob could not be set up: ${message}${cause instanceof Error ? ` ${cause.stack}` : ""}`,
    );
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

async function enter(client: KithClient, handle: string, password: string, loginServer: string): Promise<void> {
  await until(client, "the profile is open", ({ session }) => session.phase !== "starting");
  if ((await client.methods.snapshot({})).session.phase === "signed-out") {
    await client.methods.signUp({ loginServer, handle, password, invitation: "" }).catch((error) => {
      // The account is there and only its profile was lost.
      if (!(error instanceof KithError) || error.code !== "handle-taken") throw error;
      return client.methods.signIn({ loginServer, handle, password });
    });
  }
  await until(client, "the login server answers", ({ session }) => {
    return session.phase === "signed-in" && session.loginServerReachable;
  });
}

async function befriend(asking: KithClient, asked: KithClient, handle: string): Promise<void> {
  const [before] = (await asking.methods.snapshot({})).buddies;
  if (before === undefined) await asking.methods.requestBuddy({ handle, greeting: "Shall we talk?" });
  await until(asked, "the request has arrived", ({ buddies }) => buddies.some((one) => one.relation !== "asked-by-me"));
  const [buddy] = (await asked.methods.snapshot({})).buddies;
  if (buddy?.relation === "asks-me") await asked.methods.acceptBuddy({ userId: buddy.userId });
  for (const client of [asking, asked]) {
    await until(client, "they are buddies", ({ buddies }) => buddies.some((one) => one.relation === "buddy"));
  }
}

async function until(client: KithClient, what: string, holds: (snapshot: Snapshot) => boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const look = async () => {
      if (!holds(await client.methods.snapshot({}))) return;
      finish();
      resolve();
    };
    const lookOrFail = () => {
      look().catch((error) => {
        finish();
        reject(error);
      });
    };
    const timer = setTimeout(() => {
      finish();
      reject(new KithError("timeout", {}, { cause: new Error(`waited in vain until ${what}`) }));
    }, PATIENCE_MS);
    const stop = client.onPush(lookOrFail);
    const finish = () => {
      clearTimeout(timer);
      stop();
    };
    lookOrFail();
  });
}
