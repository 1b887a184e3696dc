#!/bin/sh
train --dropout=0.1 --augment=true --lr=0.01
train --dropout=0 --augment=true --lr=0.01
train --dropout=0.1 --augment=false --lr=0.01
train --dropout=0.1 --augment=true --lr=0.1
