import { createHash } from 'node:crypto';
import { type definition, op } from '@cleat/protocol/buildkit/ops';
import type { MessageOf } from '@cleat/protocol/grpc/message';

type Definition = Partial<MessageOf<typeof definition>>;

/** How a definition says that it is an image of this engine. */
const scheme = 'cleat-image://';

/** A result as the graph that clients hand on as the context of another build: one source, and the end of the graph. */
export function definitionOf(image: string): Definition {
  const source = op.encode({ source: { identifier: `${scheme}${image}`, attrs: new Map() } });
  const end = op.encode({ inputs: [{ digest: digestOf(source), index: 0 }] });
  return { def: [source, end], metadata: new Map([source, end].map((vertex) => [digestOf(vertex), {}])) };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The image that {@link definitionOf} was made of; undefined for any other graph. */
export function imageOf(of: Definition | undefined): string | undefined {
  for (const bytes of of?.def ?? []) {
    const { identifier = '' } = op.decode(bytes).source ?? {};
    if (identifier.startsWith(`${scheme}sha256:`)) return identifier.slice(scheme.length);
  }
  return undefined;
}
