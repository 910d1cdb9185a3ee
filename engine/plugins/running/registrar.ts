import type { ExtensionStatus, GetOptions } from '@cleat/extensions/service';
import type { Source } from '@cleat/extensions/source';

export interface Registration {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly kinds: readonly string[];
  readonly origin: string;
  readonly source: Source;
  readonly needs?: readonly string[];
  readonly after?: readonly string[];
}

export interface Registered {
  readonly status: ExtensionStatus;
  activated(options?: GetOptions): Promise<void>;
  replace(next: Registration, options?: { readonly drainMs?: number }): Promise<void>;
  remove(reason: string): Promise<void>;
}

export interface Registrar {
  register?: (extension: Registration) => Registered;
}
