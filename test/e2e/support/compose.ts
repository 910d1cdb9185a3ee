import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { hasNewerClients, newerClientsIn } from './newer-clients.js';

const run = promisify(execFile);

/** The two Composes: a program in Python, which Debian 12 has, and the plugin of the docker CLI. */
export type Version = 'v1' | 'v2';

/** Those that are installed. */
export const composeVersions: readonly Version[] = [
  ...(spawnSync('docker-compose', ['version']).status === 0 ? (['v1'] as const) : []),
  ...(hasNewerClients ? (['v2'] as const) : []),
];

export interface Said {
  stdout: string;
  stderr: string;
}

/** One project of one Compose on an engine. */
export class Compose {
  /** The command that a person types. */
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;

  /** @param directory where its files are */
  constructor(
    readonly version: Version,
    readonly project: string,
    readonly directory: string,
    socket: string,
    env: NodeJS.ProcessEnv = {},
  ) {
    this.command = version === 'v1' ? 'docker-compose' : 'docker compose';
    mkdirSync(directory, { recursive: true });
    const { DOCKER_CONTEXT: _context, DOCKER_API_VERSION: _version, ...outer } = process.env;
    this.env = {
      ...outer,
      DOCKER_HOST: `unix://${socket}`,
      DOCKER_CONFIG: hasNewerClients ? newerClientsIn(directory) : directory,
      COMPOSE_PROJECT_NAME: project,
      COMPOSE_IGNORE_ORPHANS: 'true',
      ...env,
    };
  }

  /** The name of a service's container. */
  container(service: string, number = 1): string {
    return [this.project, service, number].join(this.version === 'v1' ? '_' : '-');
  }

  /** Must succeed. */
  async ok(...args: string[]): Promise<Said> {
    const [file = '', ...words] = this.command.split(' ');
    return await run(file, [...words, ...args], { cwd: this.directory, env: this.env, timeout: 500_000 });
  }

  /** Must fail; gives all that was said. */
  async refused(...args: string[]): Promise<string> {
    try {
      await this.ok(...args);
    } catch (error) {
      const { stdout, stderr } = error as Said;
      return stdout + stderr;
    }
    throw new Error(`${this.command} ${args.join(' ')} succeeded`);
  }
}
