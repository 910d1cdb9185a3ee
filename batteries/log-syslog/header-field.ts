/** Bytes of a header's fields (RFC 5424, section 6). RFC 3164 has no limit that is kept: servers cut where they want. */
export const longest = { hostname: 255, appName: 48, messageId: 32, tag: 255 };

/**
 * Text as a field of a message's header: printable ASCII without a space, as RFC 5424 has it, and without brackets,
 * which end a tag of RFC 3164. What comes from a name or a label must neither begin another field nor another message.
 * `-` stands for nothing.
 */
export function headerField(text: string, length: number): string {
  const clean = text.replaceAll(/[^\x21-\x7e]|[[\]]/gu, '_').slice(0, length);
  return clean === '' ? '-' : clean;
}
