/** The app's window as a person uses it: everything is found by role and name, as a screen reader finds it. */
import type { Locator, Page } from "playwright-core";
import { IPC_METHODS, type IpcMethods, type KithBridge } from "../protocol/ipc-schema.ts";
import type { Input, Output } from "../protocol/rpc.ts";

/** The page's globals, as far as they are used here. */
declare const window: {
  readonly kith: KithBridge;
  addEventListener(type: "pointerdown", listener: () => void, options: { capture: true; once: true }): void;
};

type CallLine = Extract<Output<IpcMethods["lines"]>["lines"][number], { kind: "call" }>;

export class AppWindow {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** The buddy's row; with a presence word, the row while it shows that presence. */
  buddy(handle: string, presence?: "online" | "away" | "busy" | "offline"): Locator {
    const name = new RegExp(presence === undefined ? `^${handle}\\b` : `^${handle}\\b.*\\b${presence}\\b`, "i");
    return this.page.getByRole("listbox", { name: "Buddies" }).getByRole("option", { name });
  }

  async openConversation(handle: string): Promise<void> {
    await this.buddy(handle).click();
    await this.page.getByRole("heading", { name: handle, level: 2 }).waitFor();
  }

  get conversation(): Locator {
    return this.page.getByRole("log", { name: "Conversation", exact: true });
  }

  /** Writes into the open conversation. */
  async write(text: string): Promise<void> {
    await this.page.getByRole("textbox", { name: "Message", exact: true }).fill(text);
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
  }

  /** The open conversation's latest line with this text. */
  line(text: string | RegExp): Locator {
    return this.conversation.getByText(text, { exact: true }).last();
  }

  /** In the header of the open conversation. */
  get callButton(): Locator {
    return this.page.getByRole("button", { name: "Call", exact: true });
  }

  /** The dialog of an incoming call. */
  incomingCall(from: string): Locator {
    return this.page.getByRole("alertdialog").filter({ hasText: from });
  }

  get acceptButton(): Locator {
    return this.page.getByRole("button", { name: "Accept", exact: true });
  }

  get declineButton(): Locator {
    return this.page.getByRole("button", { name: "Decline", exact: true });
  }

  /** The panel of the call that is on. */
  get call(): Locator {
    return this.page.getByRole("region", { name: "Call", exact: true });
  }

  /** In the words of the panel: the way that the call goes. */
  callPath(words: "Direct connection" | "Through a relay" | "Through a relay over TCP"): Locator {
    return this.call.getByText(words, { exact: true });
  }

  /** Turns a switch of the settings on or off, as a person does. */
  async set(name: string, on: boolean): Promise<void> {
    await this.page.getByRole("button", { name: "Your account" }).click();
    await this.page.getByRole("menuitem", { name: "Settings…" }).click();
    const dialog = this.page.getByRole("dialog", { name: "Settings" });
    await dialog.getByRole("switch", { name }).setChecked(on, { force: true });
    await dialog.getByRole("button", { name: "Close", exact: true }).click();
    await dialog.waitFor({ state: "hidden" });
  }

  get hangUpButton(): Locator {
    return this.call.getByRole("button", { name: "Hang up" });
  }

  get muteButton(): Locator {
    return this.call.getByRole("button", { name: "Mute" });
  }

  /** Asks main what the window itself asks it. @throws Error with the answer's sentence */
  async ask<K extends keyof IpcMethods & string>(name: K, input: Input<IpcMethods[K]>): Promise<Output<IpcMethods[K]>> {
    const answer = await this.page.evaluate(([method, argument]) => window.kith.invoke(method, argument), [
      name,
      input,
    ] as const);
    if (!isRecord(answer) || answer.ok !== true) throw new Error(`${name}: ${JSON.stringify(answer)}`);
    return IPC_METHODS[name].output.parse(answer.value) as Output<IpcMethods[K]>;
  }

  /** The conversation's calls as they were recorded, the latest last. */
  async callLines(handle: string): Promise<readonly CallLine[]> {
    const { buddies } = await this.ask("snapshot", {});
    const peer = buddies.find((buddy) => buddy.handle === handle)?.userId;
    if (peer === undefined) throw new Error(`${handle} is no buddy`);
    const { lines } = await this.ask("lines", { peer, before: null, limit: 200 });
    return lines.filter((line) => line.kind === "call");
  }
}

/** Clicks; returns when the page felt it, in ms since 1970: before whatever the click has set off. */
export async function clickAt(button: Locator): Promise<number> {
  const felt = button.page().evaluate(
    () =>
      new Promise<number>((resolve) => {
        window.addEventListener("pointerdown", () => resolve(Date.now()), { capture: true, once: true });
      }),
  );
  const [at] = await Promise.all([felt, button.click()]);
  return at;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
