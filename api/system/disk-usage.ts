import { invalidParameter } from '@cleat/protocol/errors';
import type { Exchange } from '../http/exchange.js';

const known = ['container', 'image', 'volume', 'build-cache'];

/** The `type` parameters (API 1.42); empty: everything. @throws InvalidParameter */
export function diskUsageTypes(x: Exchange): string[] {
  if (x.before('1.42')) return [];
  const types = x.query.all('type');
  for (const type of types) if (!known.includes(type)) throw invalidParameter(`unknown object type: ${type}`);
  return types;
}

/** `GET /system/df` in the shape of the client's version. */
export function diskUsageFor(x: Exchange, usage: Record<string, unknown>): Record<string, unknown> {
  if (!x.before('1.44') || !Array.isArray(usage.Images)) return usage;
  const images: object[] = usage.Images;
  const older = x.before('1.42') ? { BuilderSize: 0 } : {};
  return {
    ...usage,
    ...older,
    Images: images.map((image) => ({ ...image, VirtualSize: 'Size' in image ? image.Size : 0 })),
  };
}
