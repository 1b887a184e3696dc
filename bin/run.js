#!/usr/bin/env node
import { start } from '../dist/terminal/start.js'

await start(import.meta.url)
