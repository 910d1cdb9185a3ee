/** Several complaints as moby joins them (`daemon/internal/multierror`): one by itself, more as a list. */
export function listed(complaints: readonly string[]): string {
  const [only = '', ...more] = complaints;
  if (more.length === 0) return only.trim();
  return complaints.map((text) => `* ${text.replaceAll('\n', '\n\t')}`).join('\n');
}
