import type { Exchange } from './exchange.js';

/**
 * Encoded copies of an object, in the shape of each API version: the engine hands out the same object until it
 * changes, and asking is far commoner.
 */
export class EncodedCopies<T extends object, Shape extends string, Copy> {
  readonly #copies = new WeakMap<T, Map<Shape, Copy>>();

  /** @param encode is called once for each object and shape */
  of(value: T, shape: Shape, encode: () => Copy): Copy {
    const copies = this.#copies.get(value) ?? new Map<Shape, Copy>();
    this.#copies.set(value, copies);
    const copy = copies.get(shape) ?? encode();
    copies.set(shape, copy);
    return copy;
  }
}

/** @param shapes API versions that changed the shape, the newest first; the last is for all before it */
export function shapeFor<const S extends string>(x: Pick<Exchange, 'before'>, shapes: readonly [...S[], S]): S {
  return shapes.find((version) => !x.before(version)) ?? (shapes.at(-1) as S);
}
