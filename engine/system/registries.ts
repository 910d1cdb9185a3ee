import type { RegistriesConfig } from '../config.js';

type Registries = Pick<RegistriesConfig, 'insecureRegistries' | 'registryMirrors'>;

/** `RegistryConfig` of `GET /info`. */
export function registryConfig(config: Registries): Record<string, unknown> {
  const isCidr = (name: string): boolean => /^[0-9a-f.:]+\/\d+$/i.test(name);
  const insecure = config.insecureRegistries.filter((name) => !isCidr(name));
  // As Docker shows them, whichever way they were written.
  const mirrors = config.registryMirrors.map((mirror) => mirror.replace(/\/*$/, '/'));
  const official = { Name: 'docker.io', Mirrors: mirrors, Secure: true, Official: true };
  return {
    InsecureRegistryCIDRs: [...new Set([...config.insecureRegistries.filter(isCidr), '::1/128', '127.0.0.0/8'])],
    IndexConfigs: {
      'docker.io': official,
      ...Object.fromEntries(
        insecure.map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }]),
      ),
    },
    Mirrors: mirrors,
  };
}
