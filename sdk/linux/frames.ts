/**
 * Frames of a link. Apart from `@cleat/sdk/linux`, as it needs a compiled library that bundlers cannot take into one
 * file: only who speaks a protocol below IP has to install that beside the bundle.
 */
export { type FrameHandlers, LinkFrames } from '@cleat/linux/net/link-frames';
