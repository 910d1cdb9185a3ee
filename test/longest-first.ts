import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take more than half a minute, the longest first. Which they are matters only for the end of a run. */
const long = [
  'plugins',
  'batteries',
  'network-faults',
  'boot',
  'packaging',
  'kind-pages',
  'log-chaos',
  'kill-sweep',
  'carriers',
  'volume-tmpfs',
  'extensions',
  'volume-wire',
  'rclone-volume',
  'create',
  'watch',
  'balancer',
  'survival',
  'network-plugins',
  'hung-volume',
  'verify-networks',
  'overlay-verified',
  'garbage',
  'other-languages',
  'first-plugin',
  'lifecycle',
  'paths',
  'kinds',
  'killed-meanwhile',
  'verify',
].map((name) => `${name}.test.ts`);

/** Small files with long lists of cases, and what unpacks much. By their size, they would be the last of all. */
const longForTheirSize = ['/conformance/kinds/', '/linux/archive/gunzip.', '/engine/images/archive/outline.'];

/**
 * Starts what takes longest first, so that no processor idles at the end while one file goes on. Of the others, those of
 * one project follow each other, since a process that has ended a file takes the next one only if it is of the same
 * project; unit tests come last, which are short. Within a project the larger ones go first, as vitest does where it
 * has not run them before, but for those of which their size says little.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files);
    const names = [...new Set(files.map(({ project }) => project.name))];
    const projects = [...names.filter((name) => !isUnit(name)), ...names.filter(isUnit)];
    const place = ({ moduleId, project }: TestSpecification): number => {
      const at = long.indexOf(basename(moduleId));
      if (at >= 0) return at;
      const isLong = longForTheirSize.some((part) => moduleId.includes(part));
      return long.length + 2 * projects.indexOf(project.name) + (isLong ? 0 : 1);
    };
    return others.toSorted((one, two) => place(one) - place(two));
  }
}

const isUnit = (project: string): boolean => project.startsWith('unit');
