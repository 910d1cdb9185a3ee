let lastSeconds = Number.NaN;
let lastText = '';

/** RFC 3339 in UTC with nine digits, as `docker logs --timestamps` prints it. */
export function goTimeFixed(seconds: number, nanos: number): string {
  if (seconds !== lastSeconds) {
    lastSeconds = seconds;
    lastText = new Date(seconds * 1000).toISOString().slice(0, 19);
  }
  return `${lastText}.${String(nanos).padStart(9, '0')}Z`;
}
