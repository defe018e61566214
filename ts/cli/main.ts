#!/usr/bin/env node
import { argv } from 'node:process'
import { run } from './program.js'

void run(argv.slice(2))
