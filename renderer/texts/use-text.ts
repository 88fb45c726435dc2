import { useCallback } from "react";
import { useIntl } from "react-intl";
import type { TextId } from "./en.ts";

export type Text = (id: TextId, values?: Readonly<Record<string, string | number>>) => string;

/** Every word on the screen comes from the catalogue through this. */
export function useText(): Text {
  const intl = useIntl();
  return useCallback((id, values) => intl.formatMessage({ id }, values), [intl]);
}
