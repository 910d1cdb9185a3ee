/**
 * A MAC address as Docker makes them: `02:42`, which is locally administered and for one receiver only, and four bytes.
 * @param digits hexadecimal; the first eight count
 */
export const dockerMac = (digits: string): string => ['02', '42', ...(digits.slice(0, 8).match(/../g) ?? [])].join(':');
