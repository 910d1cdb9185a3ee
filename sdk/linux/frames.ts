/**
 * Frames of a link. Apart from `@cleat/sdk/linux`, as it needs a compiled library that bundlers cannot take into one
 * file: a plugin that speaks a protocol below IP has to have that installed beside its bundle.
 */
export { type FrameHandlers, LinkFrames } from '@cleat/linux/net/link-frames';
