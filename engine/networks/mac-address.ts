/**
 * A MAC address in its usual form: six octets in lower case, with colons. Go's other forms of six octets
 * (`net.ParseMAC`) are read, too: `02-42-AC-11-00-02` and `0242.ac11.0002`.
 * @returns undefined for what is none
 */
export function readMac(text: string): string | undefined {
  const isMac = /^([0-9a-f]{2}([:-]))([0-9a-f]{2}\2){4}[0-9a-f]{2}$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/i.test(text);
  if (!isMac) return undefined;
  return text
    .toLowerCase()
    .replaceAll(/[:.-]/g, '')
    .replaceAll(/..(?=.)/g, '$&:');
}

/** Whether an interface can have it: the kernel takes no group address, and not the one of zeros. */
export const isUnicast = (mac: string): boolean =>
  Number.parseInt(mac.slice(0, 2), 16) % 2 === 0 && mac !== '00:00:00:00:00:00';
