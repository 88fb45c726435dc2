/** The place for what went wrong, empty until then: a screen reader speaks what appears in it. */
export function Trouble({ children }: { readonly children: string | false }) {
  return (
    <div className="form-error" role="alert">
      {children}
    </div>
  );
}
