/** Phrases at which readers stumble who did not grow up with English, each with what to write instead. */
export interface Phrase {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** At the beginning of a comment, or of a test's name: a sentence begins with its subject. */
export const openings: readonly Phrase[] = [
  { pattern: /^What(ever)?\b/, instead: 'name the thing: "The options of …", "Reads …"' },
  { pattern: /^Of (?!course\b)/, instead: 'name the thing: "Length of …", "Path of …"' },
  { pattern: /^One that\b/, instead: 'name it: "A process that …"' },
  { pattern: /^(Who|Whom|Whose)\b/, instead: 'name the one who acts: "The CA that …", "The users of …"' },
];

/** Anywhere: in comments, messages and documents. */
export const phrases: readonly Phrase[] = [
  { pattern: /\b(not|no|nobody|nothing|never|none)\b[^.;:]{0,80}\bany more\b/i, instead: 'no longer' },
  { pattern: /\bwhoever\b/i, instead: 'name the one who acts: everybody who, a caller, the reader' },
  { pattern: /\bto mend\b|\bmend (it|this|that|or)\b|\bmended\b/i, instead: 'fix' },
  { pattern: /\bwish(ed)?[- ]for\b|\bwishes for\b|\bis wished\b/i, instead: 'request' },
];
