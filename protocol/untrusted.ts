/**
 * Makes a foreign text fit for a terminal and a log: cut to a length, and without what a terminal obeys (escape
 * sequences, carriage returns) or what makes a text read as another one (marks that turn the direction of writing).
 * Line breaks and tabs stay: messages have them.
 */
export function readable(text: string, longest = 2_000): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}… (${text.length - longest} more characters)` : text;
  return cut.replace(unfit, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// C0 without tab and line feed, DEL and C1; line and paragraph separators and bidirectional controls; lone surrogates.
const unfit =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
