require('lacuna.commands').define()
