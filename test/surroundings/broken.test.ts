import { describeBrokenSurroundings } from './broken.js'

describeBrokenSurroundings(2)
