/** Says of each of tfjs's kernels that has one what it becomes in a graph. */
import './elementwise.js'
import './rectifiers.js'
import './matrix.js'
import './shapes.js'
import './reductions.js'
import './convolution.js'
import './pooling.js'
