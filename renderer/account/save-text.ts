/** Lets the user save a text: the system asks where. */
export function saveText(name: string, type: "text/plain" | "application/json", text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The download has begun with the click; the text itself stays until it is through.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
