import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { builderFlaws } from './flaws.fixture.js';
import { HealthyBuilder } from './healthy.fixture.js';
import { builderSuite } from './suite.js';

suiteTests({
  suite: builderSuite,
  healthy: (directory) => new HealthyBuilder(directory),
  flaws: builderFlaws,
  left: () => [],
});
