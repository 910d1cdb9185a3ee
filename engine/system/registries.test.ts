import { expect, test } from 'vitest';
import { registryConfig } from './registries.js';

test('mirrors end with a slash, as Docker shows them', () => {
  const registryMirrors = ['https://one.example', 'https://two.example/', 'https://three.example/path'];
  const shown = ['https://one.example/', 'https://two.example/', 'https://three.example/path/'];
  const { Mirrors, IndexConfigs } = registryConfig({ registryMirrors, insecureRegistries: ['a:1', '10.0.0.0/8'] });
  expect(Mirrors).toEqual(shown);
  expect(IndexConfigs).toEqual({
    'docker.io': { Name: 'docker.io', Mirrors: shown, Secure: true, Official: true },
    'a:1': { Name: 'a:1', Mirrors: [], Secure: false, Official: false },
  });
});
