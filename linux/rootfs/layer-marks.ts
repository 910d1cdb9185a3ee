/** How overlayfs marks what a layer hides (kernel, Documentation/filesystems/overlayfs.rst), and how an image layer does. */
import type { BigIntStats } from 'node:fs';
import { getXattr, makeNode, setXattr } from '../syscall/files.js';
import { type ByteName, nameOf } from './names.js';

const opaqueXattr = 'trusted.overlay.opaque';
const deviceType = 0o020000;

/** OCI image-spec, layer.md: `.wh.NAME` hides NAME of the layers below, `.wh..wh..opq` all that is in its directory. */
export const whiteoutPrefix = '.wh.';
export const opaqueMarker: ByteName = nameOf('.wh..wh..opq');

/** A character device 0:0 hides what layers below have under its name. */
export function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

export function makeWhiteout(path: Buffer): void {
  makeNode(path, deviceType, 0, 0);
}

/** Whether a directory hides all that layers below have in it. */
export function isOpaque(path: Buffer): boolean {
  try {
    return getXattr(path, opaqueXattr).toString() === 'y';
  } catch {
    // No such attribute.
    return false;
  }
}

export function makeOpaque(path: Buffer): void {
  setXattr(path, opaqueXattr, Buffer.from('y'));
}
