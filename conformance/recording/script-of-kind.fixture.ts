import { defineExtension, type ExtensionModule, type Implementation } from '@cleat/sdk';

/** An extension of a kind, and what an engine asks it: `conformance/kinds/LABEL/script.fixture.ts`. */
export interface Script {
  module(): ExtensionModule;
  /** @param id the engine's own for what it makes */
  asks(id: string): [method: string, body: object][];
}

export const of = (...implementations: Implementation[]): ExtensionModule =>
  defineExtension({ start: () => ({ implementations }) });
export const nothing = () => ({});
export const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
