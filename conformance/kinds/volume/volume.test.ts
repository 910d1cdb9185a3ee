import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { volumeFlaws } from './flaws.fixture.js';
import { HealthyVolumes } from './healthy.fixture.js';
import { volumeSuite } from './suite.js';

suiteTests({
  suite: volumeSuite,
  healthy: (directory) => new HealthyVolumes(directory),
  flaws: volumeFlaws,
  left: (directory) => Object.keys(new HealthyVolumes(directory).state),
});
