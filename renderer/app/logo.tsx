/** Two speech bubbles that touch: one filled, one open. */
export function Logo({ size }: { readonly size: number }) {
  return (
    <svg className="logo" width={size} height={size} viewBox="0 0 48 48" aria-hidden="true">
      <path
        className="logo-back"
        d="M29 14h4a11 11 0 0 1 11 11c0 3.3-1.4 6.2-3.7 8.2L41 40l-6.6-3.2A11 11 0 0 1 23 30"
      />
      <path className="logo-front" d="M18 6a14 14 0 1 1-5.6 26.8L4 36l2.6-7.6A14 14 0 0 1 18 6z" />
    </svg>
  );
}
