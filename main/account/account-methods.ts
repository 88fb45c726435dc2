/** The window's requests about the account itself: devices, password, recovery key, export, its end, who is blocked or has another name; and running the network. */
import { KithError } from "../../protocol/errors.ts";
import { parseHandle } from "../../protocol/identifiers.ts";
import type { IpcMethods } from "../../protocol/ipc-schema.ts";
import { recoveryKeyStatement } from "../../protocol/login-proof.ts";
import type { Handlers } from "../../protocol/rpc.ts";
import { sealLabel } from "../buddies/buddy-label.ts";
import type { AccountSession } from "../core/account-session.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { SessionKeeper } from "../core/session-keeper.ts";
import { appSignatures, sealVault } from "./account-keys.ts";
import { exportData } from "./data-export.ts";
import { pinOf } from "./network-chain.ts";
import { changePassword, deleteAccount } from "./password-change.ts";
import { newRecoveryKey, openRecoveryKey } from "./recovery-key.ts";

type AccountIpc = Pick<
  IpcMethods,
  | "account"
  | "signOutDevice"
  | "changePassword"
  | "makeRecoveryKey"
  | "recover"
  | "deleteAccount"
  | "exportData"
  | "invite"
  | "applicants"
  | "decideApplicant"
  | "blockBuddy"
  | "unblockBuddy"
  | "blocked"
  | "labelBuddy"
>;

export function accountMethods(keeper: SessionKeeper, surroundings: Surroundings): Handlers<AccountIpc> {
  const done = {};
  const atServer = () => keeper.required.sync.session;
  return {
    account: () => atServer().request("account", {}),
    signOutDevice: async ({ deviceId }) => {
      if (deviceId === keeper.required.self.deviceId) throw new KithError("ipc-refused", { what: "signOutDevice" });
      await atServer().request("signOutDevice", { deviceId });
      return done;
    },
    changePassword: async (passwords) => {
      const { account } = keeper.required;
      await changePassword(placeOf(account), passwords, account.keys, surroundings);
      return done;
    },
    makeRecoveryKey: async () => ({ recoveryKey: await makeRecoveryKey(keeper.required, surroundings) }),
    recover: async (form) => {
      await keeper.recover(form);
      return done;
    },
    deleteAccount: async ({ password }) => {
      await keeper.deleteAccount((account) => deleteAccount(placeOf(account), password, surroundings));
      return done;
    },
    exportData: async () => ({ json: await exportData(keeper.required) }),
    invite: (wish) => atServer().request("invite", wish),
    applicants: () => atServer().request("applicants", {}),
    blockBuddy: async ({ userId }) => {
      await atServer().request("blockBuddy", { userId });
      return done;
    },
    unblockBuddy: async ({ userId }) => {
      await atServer().request("unblockBuddy", { userId });
      return done;
    },
    blocked: async () => ({
      people: keeper.required.buddies.blocked().map(({ userId, handle }) => ({ userId, handle })),
    }),
    labelBuddy: async ({ userId, alias, groups }) => {
      const tidy = [...new Set(groups.map((group) => group.trim()).filter((group) => group !== ""))];
      const { keys } = keeper.required.account;
      const label = sealLabel({ alias: alias.trim(), groups: tidy }, keys, surroundings.random);
      await atServer().request("labelBuddy", { userId, label });
      return done;
    },
    decideApplicant: async ({ handle, admit }) => {
      await atServer().request("decideApplicant", { handle: parseHandle(handle), admit });
      return done;
    },
  };
}

function placeOf({ loginServer, handle, network }: AccountSession["account"]) {
  return { loginServer, handle, pinnedNetwork: pinOf(network.keys) };
}

/** @returns the key as it is to be printed; the server has only what it can be proved by */
async function makeRecoveryKey(session: AccountSession, { random }: Surroundings): Promise<string> {
  const { keys, network, handle } = session.account;
  const recoveryKey = newRecoveryKey(random);
  const { sign, sealKey } = openRecoveryKey(recoveryKey, network.networkId, handle);
  const vault = sealVault(keys, sealKey, random);
  const statement = recoveryKeyStatement(network.networkId, sign.publicKey, vault);
  const proof = appSignatures.sign(statement, keys.sign.secretKey);
  await session.sync.session.request("setRecoveryKey", { recoveryKey: sign.publicKey, vault, proof });
  return recoveryKey;
}
