import type { IPC_METHODS } from "../../protocol/ipc-schema.ts";
import type { Output } from "../../protocol/rpc.ts";

/** What the login server says of the own account. */
export type AccountView = Output<(typeof IPC_METHODS)["account"]>;
