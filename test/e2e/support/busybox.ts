import { busyboxTar as makeTar } from '../../../cli/tour/busybox.js';

let made: Promise<Buffer> | undefined;

/** A root file system for `docker import`, made once for all files of this process. */
export function busyboxTar(): Promise<Buffer> {
  made ??= makeTar();
  return made;
}
