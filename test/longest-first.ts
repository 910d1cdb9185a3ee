import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take more than half a minute, the longest first. Which they are matters only for the end of a run. */
const long = [
  'plugins',
  'batteries',
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
  'garbage',
  'other-languages',
  'first-plugin',
  'lifecycle',
  'paths',
  'kinds',
  'killed-meanwhile',
  'verify',
].map((name) => `${name}.test.ts`);

/**
 * Starts what takes longest first, so that no processor idles at the end while one file goes on. Of the others, those of
 * one project follow each other, since a process that has ended a file takes the next one only if it is of the same
 * project; unit tests come last, which are short. Within a project the larger ones go first, as vitest does where it
 * has not run them before.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files);
    const names = [...new Set(files.map(({ project }) => project.name))];
    const projects = [...names.filter((name) => !isUnit(name)), ...names.filter(isUnit)];
    const place = ({ moduleId, project }: TestSpecification): number => {
      const at = long.indexOf(basename(moduleId));
      return at < 0 ? long.length + projects.indexOf(project.name) : at;
    };
    return others.toSorted((one, two) => place(one) - place(two));
  }
}

const isUnit = (project: string): boolean => project.startsWith('unit');
