/** A network on the lab's public hosts: a login server behind TLS and two supernodes, all on port 443, and two people. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generate } from "selfsigned";
import type { DataFolder } from "../../scripts/data-folder.ts";
import { root } from "../../scripts/repository.ts";
import { PROXY } from "./access-kind.ts";
import { LAB_RANGE, type Lab, PUBLIC } from "./lab.ts";
import { type LabProcess, startInHost, startScriptInHost } from "./lab-process.ts";

export interface LabNetwork {
  readonly url: string;
  /** For apps: it has the certificate authority of the login server. */
  readonly env: NodeJS.ProcessEnv;
  /** As a machine dies that loses its power. */
  kill(supernode: LabSupernode): Promise<void>;
  start(supernode: LabSupernode): Promise<void>;
  close(): Promise<void>;
}

export const LAB_SUPERNODES = ["sn1", "sn2"] as const;
export type LabSupernode = (typeof LAB_SUPERNODES)[number];

const ENROLMENT_TOKEN = "the enrolment token of the lab";
const PASSWORD = "a password of the lab";
const LOGIN_PORT = "7440";
const TURN_PORT = "443";

/**
 * @param folder for everything that the servers keep, and logs
 * @param data where the people's profiles are made
 */
export async function startLabNetwork(lab: Lab, folder: string, data: DataFolder): Promise<LabNetwork> {
  const started: LabProcess[] = [];
  const close = async () => {
    for (const one of started.reverse()) await one.end();
  };
  try {
    const trusted = await makeCertificate(folder);
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: trusted };
    const host = (name: keyof typeof PUBLIC) => lab.namespace(name);
    const logFile = (name: string) => join(folder, `${name}.log`);

    const login = ["--data", join(folder, "login-server"), "--listen", "127.0.0.1", "--port", LOGIN_PORT];
    login.push("--registration", "open", "--enrolment-token", ENROLMENT_TOKEN, "--name", "lab");
    const script = (name: string) => join(root, "out", `${name}.mjs`);
    started.push(
      await startScriptInHost(host("login"), script("login-server"), login, { env, logFile: logFile("login") }),
    );
    const front = [PUBLIC.login, join(folder, "tls-key.pem"), trusted, LOGIN_PORT];
    started.push(await startInHost(host("login"), "tls-front", front));
    started.push(await startInHost(host("proxy"), "connect-proxy", [PROXY.host, String(PROXY.port)]));

    const url = `https://${PUBLIC.login}`;
    const supernodes = new Map<LabSupernode, LabProcess>();
    const start = async (name: LabSupernode) => {
      const args = ["--data", join(folder, name), "--login-server", url, "--enrolment-token", ENROLMENT_TOKEN];
      args.push("--listen", PUBLIC[name], "--port", TURN_PORT, "--allow-peer", LAB_RANGE);
      const supernode = await startScriptInHost(host(name), script("relay"), args, { env, logFile: logFile(name) });
      started.push(supernode);
      supernodes.set(name, supernode);
    };
    const kill = async (name: LabSupernode) => {
      const supernode = supernodes.get(name);
      // What was started is `ip netns exec`, which has become the supernode itself.
      supernode?.child.kill("SIGKILL");
      await supernode?.ended;
    };
    for (const name of LAB_SUPERNODES) await start(name);
    const people = [url, PASSWORD, data.in("alice"), data.in("bob")];
    const provisioning = await startInHost(host("login"), "provision", people, { env, logFile: logFile("provision") });
    await provisioning.ended;
    return { url, env, kill, start, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @returns the file with the authority that the apps are to trust: the certificate itself */
async function makeCertificate(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const pems = await generate([{ name: "commonName", value: PUBLIC.login }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "subjectAltName", altNames: [{ type: 7, ip: PUBLIC.login }] },
    ],
  });
  const certificate = join(folder, "tls-certificate.pem");
  await writeFile(join(folder, "tls-key.pem"), pems.private, { mode: 0o600 });
  await writeFile(certificate, pems.cert);
  return certificate;
}
