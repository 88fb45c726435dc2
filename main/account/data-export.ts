/** Everything that Kith keeps for an account, in words that another program can read: what the server has, and what this device has. */
import type { UserId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { openLabel } from "../buddies/buddy-label.ts";
import type { AccountSession } from "../core/account-session.ts";

const PAGE = 200;

/** @returns JSON. Voice messages are named, not contained. @throws KithError `login-server-unreachable` */
export async function exportData(session: AccountSession): Promise<string> {
  const { handle, network, loginServer, keys } = session.account;
  const atServer = await session.sync.session.request("account", {});
  const buddies = session.buddies.all();
  const conversations = [];
  for (const { userId, handle: peer } of buddies) {
    conversations.push({ with: peer, lines: (await linesOf(session, userId)).map(exported) });
  }
  const data = {
    kith: "export",
    version: 1,
    account: {
      handle,
      userId: session.self.userId,
      network: network.name,
      networkId: network.networkId,
      loginServer,
      ...atServer,
    },
    profile: session.profile.view,
    buddies: buddies.map(({ userId, handle: name, state, greeting, blocked, label }) => ({
      userId,
      handle: name,
      state,
      greeting,
      blocked,
      ...openLabel(label, keys),
    })),
    conversations,
  };
  return `${JSON.stringify(data, null, 2)}\n`;
}

async function linesOf(session: AccountSession, peer: UserId): Promise<LineView[]> {
  const all: LineView[] = [];
  for (let more = true; more; ) {
    const page = await session.mail.conversations.page(peer, all[0]?.lineId ?? null, PAGE);
    all.unshift(...page.lines);
    more = page.more;
  }
  return all;
}

function exported({ lineId: _, peer: __, at, ...line }: LineView) {
  return { at: new Date(at).toISOString(), ...line };
}
