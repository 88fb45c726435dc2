import { useIntl } from "react-intl";
import type { Settings, SupernodeView } from "../../protocol/ipc-schema.ts";
import { useAppState, useAttempt, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";
import { NumberSetting } from "./number-setting.tsx";
import { SettingSwitch } from "./setting-switch.tsx";
import { bytesText, supernodeState } from "./supernode-words.ts";

/** The switch that makes this computer a supernode, what it may use for that, and what it does. */
export function SupernodeSettings() {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  const settings = useAppState((state) => state.settings);
  const view = useAppState((state) => state.supernode);
  const isOn = settings?.beSupernode ?? false;
  const change = (changes: Partial<Settings>) => attempt(bridge.invoke("setSettings", changes));
  return (
    <section className="settings-group" aria-label={text("supernode.title")}>
      <h3 className="settings-heading">{text("supernode.title")}</h3>
      <SettingSwitch
        label={text("supernode.switch")}
        explanation={text("supernode.explain")}
        isOn={isOn}
        isReady={settings !== null}
        onChange={(beSupernode) => change({ beSupernode })}
      />
      {settings !== null && isOn && (
        <>
          <p className={`supernode-state supernode-${view.phase}`} role="status">
            {supernodeState(view, text)}
          </p>
          {view.phase === "running" && <Figures view={view} monthGb={settings.supernodeMonthGb} />}
          <div className="supernode-caps">
            <NumberSetting
              label={text("supernode.mbit")}
              value={settings.supernodeMbit}
              min={0.1}
              max={1_000}
              onChange={(supernodeMbit) => change({ supernodeMbit })}
            />
            <NumberSetting
              label={text("supernode.monthGb")}
              value={settings.supernodeMonthGb}
              min={1}
              max={100_000}
              onChange={(supernodeMonthGb) => change({ supernodeMonthGb })}
            />
            <NumberSetting
              label={text("supernode.port")}
              value={settings.supernodePort}
              min={0}
              max={65_535}
              isPort
              onChange={(supernodePort) => change({ supernodePort })}
            />
          </div>
          <p className="setting-words">{text("supernode.capsExplain")}</p>
        </>
      )}
    </section>
  );
}

function Figures({
  view,
  monthGb,
}: {
  readonly view: Extract<SupernodeView, { phase: "running" }>;
  readonly monthGb: number;
}) {
  const text = useText();
  const { locale } = useIntl();
  const figures = [
    [text("supernode.attached"), String(view.attached)],
    [text("supernode.members"), String(view.members)],
    ...(view.relays
      ? [
          [text("supernode.callEnds"), String(view.relayedCallEnds)],
          [
            text("supernode.relayed"),
            text("supernode.relayedOf", {
              used: bytesText(view.relayedBytesThisMonth, locale),
              cap: bytesText(monthGb * 1e9, locale),
            }),
          ],
        ]
      : []),
    [text("supernode.address"), text("supernode.addressIs", { host: view.host, port: String(view.port) })],
  ];
  return (
    <dl className="supernode-figures">
      {figures.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
