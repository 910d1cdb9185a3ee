/** Whether a device can be made with exactly this name: the kernel takes a `%` for a pattern, and makes another one. */
export const isDeviceName = (name: string): boolean =>
  /^[^\s/:%]+$/.test(name) && Buffer.byteLength(name) <= 15 && name !== '.' && name !== '..';

/** For errors. */
export const deviceNameRule = 'at most 15 characters, none of them a blank, /, : or %';
