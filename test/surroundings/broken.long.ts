import { describeBrokenSurroundings } from './broken.js'

describeBrokenSurroundings(Infinity)
