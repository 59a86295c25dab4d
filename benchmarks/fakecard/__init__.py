"""A card that is not there: whole jobs on tensors that have a device, a type and a size and no numbers.

`make fakecard` writes measured/fakecard.md. `count` adds up bytes, `cuda` stands in for a driver, `parts` for weights,
`ways` names what is walked, `walk` walks it, `page` tells.
"""
