import type { ExtensionStatus, KeptLine } from '@cleat/extensions/service';

/** An extension as it comes over the wire: moments are texts there. */
export type Shown = Omit<ExtensionStatus, 'since' | 'waitsUntil' | 'suspendedUntil' | 'lastError' | 'process'> & {
  readonly since: string;
  readonly waitsUntil?: string;
  readonly suspendedUntil?: string;
  readonly lastError?: Omit<NonNullable<ExtensionStatus['lastError']>, 'at'> & { readonly at: string };
  readonly process?: Omit<NonNullable<ExtensionStatus['process']>, 'since'> & { readonly since: string };
};

/** A line of its log, likewise. */
export type ShownLine = Omit<KeptLine, 'at'> & { readonly at: string };
